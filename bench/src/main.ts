import { measureFeatures } from './features.ts';
import { measureSpeed } from './speed.ts';

/** Usage: main.js [speed | features] [rounds] [--json] */
const words = process.argv.slice(2);
const json = words.includes('--json');
const rounds = Number(words.find((word) => /^\d+$/.test(word)) ?? 5);

if (words.includes('features')) await measureFeatures(rounds, json);
else await measureSpeed(rounds, json);
