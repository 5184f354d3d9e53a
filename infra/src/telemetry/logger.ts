import pino from 'pino';

export type Logger = pino.Logger;

/** Errors of libraries carry whole connections with them: what is told of an error is chosen here. */
export function errorInLog(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return String(error);
  const { name, message, stack, code, cause } = error as Error & { readonly code?: unknown };
  return {
    type: name, message, ...(depth === 0 && { stack }), ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(cause !== undefined && depth < 3 && { cause: errorInLog(cause, depth + 1) }),
  };
}

const [STDOUT, STDERR] = [1, 2];

/**
 * JSON lines on stdout, one per event of interest; no bodies, no secrets.
 * @param aside to stderr: stdout is for what a command answers.
 */
export function openLogger(role: string, aside = false): Logger {
  const options = {
    base: { role, pid: process.pid },
    serializers: { err: (error: unknown) => errorInLog(error) },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['password', '*.password', 'token', '*.token', 'authorization', '*.authorization'], censor: '…' },
  };
  return pino(options, pino.destination({ fd: aside ? STDERR : STDOUT, sync: true }));
}
