// Runs one database in process and asks it what stands on standard input, a JSON object a line:
//   {"sql": "…", "runs": 5}
// The answer is a line on standard output: {"ms": […], "rows": [[…]]} with the rows of the last run, or
// {"error": "…"}. Times are of the query and of reading its rows, without starting the process.
//
//   node peer.mjs clickhouse|duckdb FOLDER
import { createInterface } from 'node:readline';
import { join } from 'node:path';

const [kind, folder] = process.argv.slice(2);

async function clickhouse() {
  const { Session } = await import('chdb');
  const session = new Session(folder);
  return async (sql) => {
    const text = session.query(sql, 'JSONCompact');
    return text ? JSON.parse(text).data : [];
  };
}

async function duckdb() {
  const { DuckDBInstance } = await import('@duckdb/node-api');
  const instance = await DuckDBInstance.create(join(folder, 'events.duckdb'));
  const connection = await instance.connect();
  return async (sql) => (await connection.runAndReadAll(sql)).getRowsJson();
}

const ask = await { clickhouse, duckdb }[kind]();

for await (const line of createInterface({ input: process.stdin })) {
  const { sql, runs } = JSON.parse(line);
  let answer = { ms: [], rows: [] };
  try {
    for (let i = 0; i < runs; i++) {
      const begin = process.hrtime.bigint();
      answer.rows = await ask(sql);
      answer.ms.push(Number(process.hrtime.bigint() - begin) / 1e6);
    }
  } catch (error) {
    answer = { error: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer, (_, v) => (typeof v === 'bigint' ? String(v) : v)) + '\n');
}
process.exit(0);
