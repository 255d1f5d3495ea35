import { linux } from './linux.ts';
import { mac } from './mac.ts';
import type { Platform } from './platform.ts';
import { windows } from './windows.ts';

const platforms: Readonly<Record<string, Platform>> = { linux, darwin: mac, win32: windows };

/** The operating system that Huddle runs on. What is none of the three is taken for a Linux. */
export const here: Platform = platforms[process.platform] ?? linux;
