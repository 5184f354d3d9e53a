import pino from 'pino';

export type Logger = pino.Logger;

/** JSON lines on stdout, one per event of interest; no bodies, no secrets. */
export function openLogger(role: string): Logger {
  return pino({
    base: { role, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    redact: { paths: ['password', '*.password', 'token', '*.token', 'authorization', '*.authorization'], censor: '…' },
  });
}
