/** One process, as the system's table of processes tells it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  /** The pid of the process with which its session (macOS: its group) began; on Windows there are none, it is 0. */
  readonly session: number;
  /**
   * When it began, in a unit of the platform's own; with the pid, the only name of a process that is never used twice.
   * Linux: clock ticks since boot. macOS: seconds, Windows: milliseconds since the epoch.
   */
  readonly startTime: number;
  readonly isZombie: boolean;
}

/** A process, and to whom it says that it belongs. */
export interface MarkedEntry extends ProcessEntry {
  /** '' when it carries none that can be read. */
  readonly mark: string;
}

/** One look at all processes. It is no snapshot: while it is taken some end, and some begin unseen. */
export interface Table {
  /** All that do or could do something: neither zombies nor the kernel's own threads. */
  readonly alive: readonly MarkedEntry[];
  /** Who was found to have ended. */
  readonly ended: ReadonlySet<number>;
  /** How many have no environment, as everyone has for an instant who becomes another program. */
  readonly blank: number;
}

/** An argv, and how Node has to hand it to the system. */
export interface Launch {
  readonly argv: readonly string[];
  /** The arguments are quoted already, as Windows wants one command line. */
  readonly isVerbatim: boolean;
}

/** A lock that ends with its process, however that ends. */
export interface Hold {
  /** Of the file at the lock's path, in which the holder writes its pid. */
  readonly descriptor: number;
  release(): void;
}

/** One process, held fast: whoever gets its pid later is not mistaken for it. */
export interface Sight {
  /** Whether it is there, at a fraction of the cost of `readEntry`; null: that takes a whole look. */
  glance(): boolean | null;
  close(): void;
}

/** Who there is on the whole machine, counted at one question. */
export interface Census {
  /** Whether anybody may have come or gone since it was last asked; a zombie is there until it is reaped. */
  hasChanged(): boolean;
  close(): void;
}

/** What one process uses. */
export interface ProcessUsage {
  /** Resident; bytes. */
  readonly memory: number;
  /** Processor time since it began, with that of its children whose end it has seen; seconds. */
  readonly cpu: number;
}

/** How a tree is ended where no signal reaches a whole one. */
export interface TreeEnding {
  /** Kills a process and all that descends from it. Resolves when that was tried; whoever waits sees what is left. */
  readonly killTree: (pid: number) => Promise<void>;
  /** The pids of those whose parent was this process, which has ended itself. Rejects when that cannot be told. */
  readonly orphansOf: (root: { readonly pid: number; readonly startTime: number }) => Promise<readonly number[]>;
}

/** Everything in which one operating system differs from another; `src/platform/here.ts` has the one that we are on. */
export interface Platform {
  // Commands

  /** A line for the shell, as an argv. */
  shell(line: string): Launch;
  /** An argv whose program was found in `file`. Throws `not-supported` where the system cannot be given that safely. */
  launch(argv: readonly string[], file: string): Launch;
  /** Whether the name of a program says where it is, so that it is not looked for in PATH. */
  isPath(program: string): boolean;
  /** The file names by which a program may be found, in their order. */
  fileNames(program: string): readonly string[];
  /** Where programs are looked for without a PATH. */
  readonly usualPath: string;
  /** The git program of a config: where that is just `git` and PATH has none, the place where its installer puts it. */
  gitProgram(executable: string): string;
  /** A shell that speaks POSIX, for the fixed scripts that go with git. */
  readonly posixShell: string;
  /** One environment out of several; the last one wins. */
  environment(...layers: readonly Readonly<Record<string, string>>[]): Record<string, string>;
  /** Whether programs can be run as another user. */
  readonly hasUsers: boolean;
  /**
   * Whether a test, a script or a probe begins a session of its own; else it ends with Huddle. (Programs always do: they
   * outlive Huddle.)
   */
  readonly detachesCommands: boolean;
  /** A shell that can be forked ahead of time and become a program; null where that gains nothing. */
  readonly spareShell: string | null;

  // Files

  /** Takes the lock at a path; null when another process has it. Throws the system's error, or a `Failure`. */
  hold(path: string): Hold | null;
  /** The same for a folder, which need not be writable; null when another process has it. On Windows everybody gets it. */
  holdFolder(path: string): Pick<Hold, 'release'> | null;
  /** Whether a file's mode says who may look into it. */
  readonly hasModes: boolean;
  /** The name of the pipe on which the Huddle of a state folder is spoken to; null: on a socket, which is a file. */
  controlPipe(root: string): string | null;
  /** From this many bytes on, its final NUL included, the system refuses the path of a socket. */
  readonly socketLimit: number;
  /** Gives a file another name, at which there may be one already. Throws the system's error. */
  rename(from: string, to: string): void;
  /** Lets a link lead to a folder, in the place of where it led before; null: the shell does it, by one rename. */
  readonly pointLink: ((link: string, folder: string) => void) | null;
  /** Resolves when what is in a file outlasts a power cut. Rejects with the system's error. */
  syncFile(path: string): Promise<void>;
  /** Resolves when the names in a folder outlast a power cut. Rejects with the system's error. */
  syncFolder(folder: string): Promise<void>;

  // Processes

  /** The id of the boot that we are in. Throws when the system does not tell. */
  bootId(): string;
  /** Whether a start time that was written down in one boot can mean a process of another one. */
  isSameBoot(bootId: string): boolean;
  /** One process by its pid; null when there is none. Zombies are told too. */
  readEntry(pid: number): ProcessEntry | null;
  /** When a child began that was started just now and has not been reaped; null when it has been all the same. */
  startOfChild(pid: number): number | null;
  /** Whether two start times of one pid, the first written down, the second read, are the same process's. */
  isSameStart(written: number, read: number): boolean;
  /** Looks at every process, at least at those that are not older than `since`. */
  readTable(since: number): Table;
  /** Whether a process, as a table shows it, could write to this file; false where that cannot be asked. */
  holdsForWriting(entry: ProcessEntry, path: string): boolean;
  /** What a process uses, null when it has ended; null where nobody can tell cheaply. */
  readonly usageOf: ((pid: number) => ProcessUsage | null) | null;
  /** null: by signals, to everyone that the table shows. */
  readonly treeEnding: TreeEnding | null;
  /** Keeps sight of a process that is no child of ours; null where it is not to be had. */
  sightOf(pid: number): Sight | null;
  /** null where nobody can tell. */
  openCensus(): Census | null;
  /** Without sight: every so many looks a process is looked at whole, as its pid may be somebody else's. */
  readonly wholeLookEvery: number;
}

/**
 * The environment variable that every program, test, script and git child of Huddle carries, so that whatever descends
 * from it is found again by a Huddle that knows nothing of it.
 */
export const markVariable = 'HUDDLE_MARK';
