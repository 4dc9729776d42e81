/** Where the processes of Infer listen for each other; the manifests' policies name these ports, too. */

/** Gateways, for the leading operator. */
export const CHANNEL_PORT = 8443;
/** The batch process, for gateways: Files and Batches. */
export const BATCH_PORT = 8444;
/** Gateways, for the batch process: requests of class batch. */
export const INTERNAL_PORT = 8445;

/** The ServiceAccounts of the ends, in Infer's own namespace. */
export const OPERATOR_ACCOUNT = 'infer-operator';
export const GATEWAY_ACCOUNT = 'infer-gateway';
export const BATCH_ACCOUNT = 'infer-batch';
