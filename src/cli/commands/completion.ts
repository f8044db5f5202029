/**
 * `leoflow lite completion`: prints the script that makes a shell complete our commands.
 */
import { Argument, Command } from 'commander';
// Not by the library's index: what a shell runs each time it starts should not load the whole engine.
import { nextLeoflow } from '../../engine/install/leoflow-binary.js';
import { isOwn } from '../pass-through.js';
import { bashCompletion } from '../reference/bash.js';
import { defineCommand } from '../reference/definition.js';
import { fishCompletion } from '../reference/fish.js';
import { zshCompletion } from '../reference/zsh.js';
import type { CommandContext } from '../streams.js';

const SCRIPTS = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion } as const;

const HELP = `
Where another Leoflow has a completion of its own, switch that one on first: then both work.

Examples:
  eval "$(leoflow lite completion bash)"
      in ~/.bashrc
  source <(leoflow lite completion zsh)
      in ~/.zshrc
  leoflow lite completion fish | source
      in ~/.config/fish/config.fish

Exit status:
  0    done
  1    failed
  2    wrong usage`;

/** Builds the command. */
export function completionCommand({ around }: CommandContext): Command {
  return new Command('completion')
    .summary('print a completion script for a shell')
    .description('Prints a script that makes a shell complete the commands, options and values of this program.')
    .addArgument(new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS)))
    .addHelpText('after', HELP)
    .action(async (shell: keyof typeof SCRIPTS, _, command: Command) => {
      let root = command;
      while (root.parent !== null) root = root.parent;
      const isAlone = (await nextLeoflow({ env: around.env })) === null;
      around.stdout.write(SCRIPTS[shell](isAlone ? defineCommand(root) : defineCommand(root, isOwn)));
    });
}
