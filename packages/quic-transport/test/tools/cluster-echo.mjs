// Started by many-cores-page.test.ts: tells its primary what it was given, and waits.
process.send(`${process.env.WORKER_NUMBER} ${process.env.WORKER_FOLDER}`);
setInterval(() => undefined, 60_000);
