type Cleaning = () => unknown;

/** Runs work with hooks like those of a test, which clean up when it ends. */
export async function tidily<T>(work: (t: { after: (clean: Cleaning) => void }) => Promise<T>): Promise<T> {
  const cleanings: Cleaning[] = [];
  try {
    return await work({ after: (clean) => void cleanings.push(clean) });
  } finally {
    for (const clean of cleanings) await clean();
  }
}
