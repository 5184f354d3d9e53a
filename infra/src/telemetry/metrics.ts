import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** One process's metrics. Names start with `kiroku_`; the role is a label, so the API can add up all processes. */
export class Metrics {
  readonly registry = new Registry();
  readonly #counters = new Map<string, Counter>();

  constructor(role: string) {
    this.registry.setDefaultLabels({ role, pid: String(process.pid) });
    new Gauge({
      name: 'kiroku_process_resident_bytes', help: 'Resident memory', registers: [this.registry],
      collect() { this.set(process.memoryUsage.rss()); },
    });
    new Gauge({
      name: 'kiroku_process_cpu_seconds', help: 'CPU time used', registers: [this.registry],
      collect() { const { user, system } = process.cpuUsage(); this.set((user + system) / 1e6); },
    });
  }

  /** Adds to a counter, made when first named. Label values must be few. */
  count(name: string, help: string, by = 1, labels: Record<string, string> = {}): void {
    let counter = this.#counters.get(name);
    if (!counter) this.#counters.set(name, (counter = new Counter({ name, help, labelNames: Object.keys(labels), registers: [this.registry] })));
    counter.inc(labels, by);
  }

  /** A value read when metrics are collected. */
  gauge(name: string, help: string, read: () => number): void {
    new Gauge({ name, help, registers: [this.registry], collect() { this.set(read()); } });
  }

  /** Values read when metrics are collected, one for each set of labels; what is not told any more is gone. Label values must be few. */
  gauges(name: string, help: string, labelNames: readonly string[], read: () => Promise<readonly { readonly labels: Record<string, string>; readonly value: number }[]>): void {
    new Gauge({
      name, help, labelNames: [...labelNames], registers: [this.registry],
      async collect() {
        const values = await read();
        this.reset();
        for (const { labels, value } of values) this.set(labels, value);
      },
    });
  }

  histogram(name: string, help: string, buckets: number[]): Histogram {
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }
}
