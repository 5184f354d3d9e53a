/** Messages by who answers whom, after steps 1 to 3 of RFC 5256 §3 REFERENCES. */
export interface Family {
  /** Threads: a message, or the messages whose common parent is not there (two or more). */
  readonly tops: readonly (number | readonly number[])[];
  readonly children: Map<number, number[]>;
}

/** What a message says of itself and its ancestors; ids without angle brackets. */
export interface Referring {
  readonly messageId: string | undefined;
  readonly references: readonly string[];
}

/** References of one message that are looked at: the last, its nearest ancestors. */
const MOST_REFERENCES = 1_000;
/** Steps up the ancestors, in all, to find loops. Forged mail can ask for a square of its number; then the links it asks for are not made. */
const MOST_STEPS = 20_000_000;

/** Links by message id. Nodes 0 … n-1 are the messages, those above are ids that no message has. */
class Links {
  readonly parent: number[] = [];
  /** Children ever had; more than now is harmless. */
  readonly #children: number[] = [];
  #steps = MOST_STEPS;

  add(): number {
    this.parent.push(-1);
    this.#children.push(0);
    return this.parent.length - 1;
  }

  /** Makes `parent` the parent of `child`, unless that would make a loop. */
  link(parent: number, child: number): void {
    if (this.#descends(parent, child)) return;
    this.parent[child] = parent;
    this.#children[parent] = (this.#children[parent] as number) + 1;
  }

  #descends(from: number, ancestor: number): boolean {
    if (from === ancestor) return true;
    if (this.#children[ancestor] === 0) return false;
    let node = from;
    while (node >= 0) {
      if (node === ancestor || this.#steps-- <= 0) return true;
      node = this.parent[node] as number;
    }
    return false;
  }
}

export function familyOf(messages: readonly Referring[]): Family {
  const links = linked(messages);
  return pruned(links.parent, messages.length);
}

/** Step 1. Of several messages with one id the first has it; the others are known by none. */
function linked(messages: readonly Referring[]): Links {
  const links = new Links();
  const nodes = new Map<string, number>();
  for (const [i, { messageId }] of messages.entries()) {
    links.add();
    if (messageId !== undefined && !nodes.has(messageId)) nodes.set(messageId, i);
  }
  const nodeOf = (id: string): number => {
    let node = nodes.get(id);
    if (node === undefined) nodes.set(id, (node = links.add()));
    return node;
  };
  for (const [i, { references }] of messages.entries()) {
    let last = -1;
    for (let r = Math.max(0, references.length - MOST_REFERENCES); r < references.length; r++) {
      const node = nodeOf(references[r] as string);
      if (last >= 0 && links.parent[node] === -1) links.link(last, node);
      last = node;
    }
    links.parent[i] = -1; // what others said of it gives way to what it says itself
    if (last >= 0) links.link(last, i);
  }
  return links;
}

/** Steps 2 and 3: what is not there gives its place to its children, but only one child of such may become a thread of its own. */
function pruned(parent: readonly number[], count: number): Family {
  const anchors = new Int32Array(parent.length - count).fill(-1);
  const children = new Map<number, number[]>();
  const orphans = new Map<number, number[]>();
  const tops: (number | readonly number[])[] = [];
  const put = (into: Map<number, number[]>, key: number, place: number): void => {
    const list = into.get(key);
    if (list) list.push(place);
    else into.set(key, [place]);
  };
  for (let i = 0; i < count; i++) {
    const above = parent[i] as number;
    const anchor = above < count ? above : anchorOf(above, parent, count, anchors);
    if (anchor < 0) tops.push(i);
    else if (anchor < count) put(children, anchor, i);
    else put(orphans, anchor, i);
  }
  for (const siblings of orphans.values()) tops.push(siblings.length === 1 ? (siblings[0] as number) : siblings);
  return { tops, children };
}

/** The nearest ancestor of an absent one that is there, or else the farthest that is not. Remembers all it passes. */
function anchorOf(absent: number, parent: readonly number[], count: number, anchors: Int32Array): number {
  const passed: number[] = [];
  let node = absent;
  let anchor = -1;
  while (anchor < 0) {
    const known = anchors[node - count] as number;
    const above = parent[node] as number;
    if (known >= 0) anchor = known;
    else if (above < 0) anchor = node;
    else if (above < count) anchor = above;
    else {
      passed.push(node);
      node = above;
    }
  }
  anchors[node - count] = anchor;
  for (const p of passed) anchors[p - count] = anchor;
  return anchor;
}
