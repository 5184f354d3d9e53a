import type { Projection } from '@kiroku/domain/kernel/projection.js';

/** CREATE TABLE for a projection, in schema `view`. A rebuild copies its shape from there, so it stands only here. */
export function tableOf({ name, columns, key }: Pick<Projection, 'name' | 'columns' | 'key'>): string {
  const typed = Object.entries(columns).map(([column, type]) => `"${column}" ${type}`);
  return `CREATE TABLE view."${name}" (${typed.join(', ')}, PRIMARY KEY (${key.map((k) => `"${k}"`).join(', ')}))`;
}
