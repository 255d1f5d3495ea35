import { Counter, Gauge, Registry } from 'prom-client';
import { appFamilies, type AppScene } from './families.ts';

/** All that a scrape is told about. */
export interface Scene {
  readonly version: string;
  readonly apps: readonly AppScene[];
}

/**
 * What Prometheus reads. The registry is made anew for each scrape: an app that has gone, or a revision that has been
 * replaced, leaves no series behind.
 */
export async function expose(scene: Scene): Promise<{ readonly type: string; readonly text: string }> {
  const registry = new Registry();
  for (const { name, kind, help, labels, of } of appFamilies) {
    const description = { name, help, labelNames: ['app', ...labels], registers: [registry] };
    const metric = kind === 'gauge' ? new Gauge(description) : new Counter(description);
    for (const app of scene.apps) {
      for (const [more, value] of of(app)) metric.inc({ app: app.status.name, ...more }, value);
    }
  }
  addHuddle(registry, scene);
  return { type: registry.contentType, text: await registry.metrics() };
}

/** Huddle itself, by the names that clients of Prometheus have in common. */
function addHuddle(registry: Registry, { version, apps }: Scene): void {
  const registers = [registry];
  const build = { name: 'huddle_build_info', help: 'What runs, in its labels; always 1.', registers };
  new Gauge({ ...build, labelNames: ['version', 'node'] }).set({ version, node: process.version }, 1);
  new Gauge({ name: 'huddle_apps', help: 'How many apps there are.', registers }).set(apps.length);
  const { user, system } = process.cpuUsage();
  const cpu = { name: 'process_cpu_seconds_total', help: 'Processor time of Huddle itself.', registers };
  new Counter(cpu).inc((user + system) / 1e6);
  const memory = { name: 'process_resident_memory_bytes', help: 'Resident memory of Huddle itself.', registers };
  new Gauge(memory).set(process.memoryUsage.rss());
  const start = { name: 'process_start_time_seconds', help: 'When Huddle was started.', registers };
  new Gauge(start).set(Math.round((Date.now() - process.uptime() * 1000) / 1000));
}
