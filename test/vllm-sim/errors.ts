/** An error as vLLM words it: a class name as `type` and a number as `code`, unlike OpenAI's. */
export class ApiError extends Error {
  override name = 'ApiError';
  readonly status: number;
  readonly type: string;
  readonly param: string | null;

  constructor(status: number, type: string, message: string, param: string | null = null) {
    super(message);
    this.status = status;
    this.type = type;
    this.param = param;
  }

  get body() {
    return { error: { message: this.message, type: this.type, param: this.param, code: this.status } };
  }
}

export function badRequest(message: string, param: string | null = null): ApiError {
  return new ApiError(400, 'BadRequestError', message, param);
}

/** What FastAPI's validation of a body becomes; `param` is the path of the field, `body.messages` for example. */
export function invalidBody(field: string, text: string, kind = 'value_error'): ApiError {
  const location = ["'body'", ...field.split('.').map((part) => (/^\d+$/.test(part) ? part : `'${part}'`))].join(', ');
  const message = `[{'type': '${kind}', 'loc': (${location}), 'msg': '${text}'}]`;
  return new ApiError(400, 'Bad Request', message, `body.${field}`);
}

export function unknownModel(model: string, served: readonly string[]): ApiError {
  const message = `The model \`${model}\` does not exist. Valid aliases: ${served.join(', ')}.`;
  return new ApiError(404, 'NotFoundError', message, 'model');
}

export function draining(): ApiError {
  return new ApiError(500, 'InternalServerError', 'cannot schedule new futures after shutdown');
}

export function engineDead(): ApiError {
  return new ApiError(
    500,
    'EngineDeadError',
    'EngineCore encountered an issue. See stack trace (above) for the root cause.',
  );
}

export function queueFull(what: string): ApiError {
  return new ApiError(503, 'QueueOverflowError', `The server is overloaded: ${what} reached. Please retry later.`);
}
