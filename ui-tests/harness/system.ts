/** A real batch system for a story in the browser, brought up by the Python side of the tests. */
import { PythonSide } from './pythonside';

interface ISystem {
  /** Its name as a back-end. */
  backend: string;
  /** Below `tests.systems`. */
  module: string;
  /** Where its clients look for it. */
  variable: string;
}

const SYSTEMS: Record<'Slurm' | 'HTCondor', ISystem> = {
  Slurm: { backend: 'slurm', module: 'slurm', variable: 'SLURM_CONF' },
  HTCondor: {
    backend: 'htcondor',
    module: 'condor',
    variable: 'CONDOR_CONFIG'
  }
};

const program = (
  { module, variable }: ISystem,
  site: readonly string[]
): string => `
from tests.systems import ${module}
from tests.systems.daemons import Missing
try:
    system = ${module}.start(*${JSON.stringify(site)})
except Missing as error:
    raise SystemExit(f"missing: {error}")
try:
    print(system.environment["${variable}"], flush=True)
    input()
except EOFError:
    pass
finally:
    system.stop()
`;

/** One that lives as long as this page of the test run needs it. */
export class System {
  /** Bring it up, perhaps with lines of the site; `null` where there is none to be had. */
  static async start(
    name: keyof typeof SYSTEMS,
    ...site: string[]
  ): Promise<System | null> {
    const system = SYSTEMS[name];
    const side = await PythonSide.start(program(system, site));
    return side && new System(side, system);
  }

  private constructor(
    private readonly _side: PythonSide,
    private readonly _system: ISystem
  ) {}

  /** Lines of `jupyter_mlinfn_config.py` that let its clients find this one. */
  readonly settings = (): string[] => [
    'import os',
    `os.environ["${this._system.variable}"] = ${JSON.stringify(this._side.line)}`,
    `c.Mlinfn.shared_folders.update({"${this._system.backend}": ["/"]})`
  ];

  /** End it with all that runs in it. */
  async stop(): Promise<void> {
    await this._side.stop();
  }
}
