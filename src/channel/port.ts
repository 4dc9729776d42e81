/** Where gateways listen for the leading operator; the manifests' policies name it, too. */
export const CHANNEL_PORT = 8443;

/** The ServiceAccounts of the two ends, in Infer's own namespace. */
export const OPERATOR_ACCOUNT = 'infer-operator';
export const GATEWAY_ACCOUNT = 'infer-gateway';
