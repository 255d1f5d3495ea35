/**
 * Until every promise that can be kept has been, and what hangs on it: they all go before the next turn of the event loop.
 * (Node's test runner tracks each promise; to await some dozens of them costs more than the machines do.)
 */
export const settle = (): Promise<void> => new Promise((resolve) => void setImmediate(resolve));
