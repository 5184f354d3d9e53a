import pg from 'pg';

/** ms */
const PAUSE = 250;
/** cannot_connect_now: it starts, recovers or shuts down. */
const NOT_NOW = '57P03';

type Connected = (error: Error | undefined, client: pg.Client) => void;

/**
 * A class of clients, for one pool, that leave a server alone for a quarter of a second when it has turned one of them away because it is
 * starting, recovering or shutting down. Each attempt costs it a process and a line in its log, and a busy pool would make hundreds a second.
 * Who asks meanwhile is told what that one was told.
 * @param now ms, of a clock that only goes forward.
 */
export function courteous(now: () => number = () => performance.now()): new (config?: pg.ClientConfig) => pg.Client {
  let turnedAway: { readonly error: Error; readonly until: number } | undefined;
  return class extends pg.Client {
    override connect(): Promise<pg.Client>;
    override connect(connected: Connected): void;
    override connect(connected?: Connected): Promise<pg.Client> | void {
      if (!connected) return new Promise((resolve, reject) => this.connect((error) => (error ? reject(error) : resolve(this))));
      const last = turnedAway;
      if (last && now() < last.until) return void setImmediate(connected, last.error, this);
      super.connect((error: Error | undefined) => {
        turnedAway = error && (error as { code?: unknown }).code === NOT_NOW ? { error, until: now() + PAUSE } : undefined;
        connected(error, this);
      });
    }
  };
}
