/** Takes turns: work that is asked for waits until one of so many places is free. */
export interface Turns {
  take<T>(work: () => Promise<T>): Promise<T>;
}

export function turns(places: number): Turns {
  let free = places;
  const queue: (() => void)[] = [];
  return {
    async take(work) {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => void queue.push(resolve));
      try {
        return await work();
      } finally {
        const next = queue.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
