import { scene, type Scene } from '../e2e/harness.ts';

/** Does something on a stage of its own, which goes afterwards whatever happens. */
export async function alone<T>(measure: (stage: Scene) => Promise<T>): Promise<T> {
  let cleanUp: () => unknown = () => undefined;
  const stage = await scene({ after: (task) => (cleanUp = task as () => unknown) });
  try {
    return await measure(stage);
  } finally {
    await cleanUp();
  }
}
