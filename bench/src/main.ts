import { type ContenderName, TITLES } from './contenders.ts';
import type { Question } from './question.ts';
import { machine, print } from './report.ts';

/** All questions, in the order of the list. */
const QUESTIONS: Readonly<Record<string, () => Promise<Question>>> = {
  throughput: async () => (await import('./questions/throughput.ts')).throughput,
  echo: async () => (await import('./questions/echo.ts')).echo,
  handshakes: async () => (await import('./questions/handshakes.ts')).handshakes,
  features: async () => (await import('./questions/features.ts')).features,
  loss: async () => (await import('./questions/loss.ts')).loss,
  xml: async () => (await import('./questions/xml.ts')).xml,
  cores: async () => (await import('./questions/cores.ts')).cores,
  memory: async () => (await import('./questions/memory.ts')).memory,
  burst: async () => (await import('./questions/burst.ts')).burst,
};

const words = process.argv.slice(2);
const name = words.find((word) => /^[a-z]/.test(word));
const load = name === undefined ? undefined : QUESTIONS[name];

if (load === undefined) {
  if (name !== undefined) process.exitCode = 1;
  process.stdout.write(await usage(name));
} else {
  const question = await load();
  const rounds = Number(words.find((word) => /^\d+$/.test(word)) ?? question.rounds);
  const only =
    words
      .find((word) => word.startsWith('--only='))
      ?.slice('--only='.length)
      .split(',') ?? null;
  const unknown = only?.find((one) => !(one in TITLES));
  if (unknown !== undefined)
    throw new Error(`--only: there is no ${unknown}; there are ${Object.keys(TITLES).join(', ')}`);
  const quick = words.includes('--quick');
  const answer = await question.measure({ rounds, quick, only: only as readonly ContenderName[] | null });
  const warning = 'QUICK: little work, which shows that it runs and nothing else';
  const report = quick ? { ...answer, conditions: [warning, ...answer.conditions] } : answer;
  const json = { ...report, machine: machine(), date: new Date().toISOString(), rounds };
  process.stdout.write(words.includes('--json') ? `${JSON.stringify(json, null, 2)}\n` : print(report, rounds));
}

async function usage(asked: string | undefined): Promise<string> {
  const questions = await Promise.all(Object.values(QUESTIONS).map((one) => one()));
  return [
    ...(asked === undefined ? [] : [`There is no question ${asked}.`, '']),
    'npm run bench -- QUESTION [rounds] [--quick] [--json] [--only=NAME,NAME]',
    '',
    ...questions.map(({ name, title, rounds }) => `  ${name.padEnd(12)}${title} (${rounds} rounds)`),
    '',
    '  --quick  little work: shows that it runs, not how fast',
    '  --json   all figures of all rounds',
    `  --only   of ${Object.keys(TITLES).join(', ')}`,
    '',
  ].join('\n');
}
