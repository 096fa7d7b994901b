import { startFor } from "./cli.js";

/** Of a server that nobody ends. */
const LIFETIME = 600_000;

export interface Studio {
  readonly address: string;
  /** Ends it as Ctrl-C does; resolves to its exit code. */
  end(): Promise<number | null>;
}

/** Starts the built program's studio at a free port. */
export async function startStudio(cwd: string): Promise<Studio> {
  const { child, end } = startFor(LIFETIME, cwd, "studio", "--port", "0", "--json");
  let stdout = "";
  const address = await new Promise<string>((resolve, reject) => {
    child.stdout?.on("data", (data) => {
      stdout += data;
      if (stdout.includes("\n")) resolve((JSON.parse(stdout) as { address: string }).address);
    });
    void end.then(({ stderr }) => reject(new Error(`the studio has ended: ${stderr}`)));
  });
  return {
    address,
    async end() {
      child.kill("SIGINT");
      return (await end).code;
    },
  };
}
