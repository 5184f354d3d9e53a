import type { Language } from '@kiroku/domain/story/texts.js';
import { Presets, SingleBar } from 'cli-progress';

interface Progress { readonly done: number; readonly total: number }
interface Bar { readonly show: (progress: Progress) => void; readonly end: () => void }

/** A bar where somebody watches, a line every tenth where it is logged, nothing with --json. */
export function progressOf(name: string, silent: boolean, language: Language): Bar {
  if (silent) return { show: () => undefined, end: () => undefined };
  if (!process.stderr.isTTY) {
    let next = 0.1;
    return {
      show: ({ done, total }) => {
        if (total === 0 || done / total < next) return;
        next = Math.floor((done / total) * 10) / 10 + 0.1;
        process.stderr.write(`${name}: ${Math.floor((done / total) * 100)} %\n`);
      },
      end: () => undefined,
    };
  }
  const bar = new SingleBar({ format: `${name} {bar} {percentage} % | {value}/{total} | ${language === 'ja' ? '残り {eta_formatted}' : '{eta_formatted} left'}`, clearOnComplete: true }, Presets.rect);
  bar.start(1, 0);
  return { show: ({ done, total }) => { bar.setTotal(total); bar.update(done); }, end: () => bar.stop() };
}
