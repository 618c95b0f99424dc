// node, Deno and Bun: the file named by the first argument holds the batch, and the answers are printed.
import { readFileSync } from 'node:fs'
import process from 'node:process'
import { run } from './harness.mjs'

process.stdout.write(JSON.stringify(await run(JSON.parse(readFileSync(process.argv[2], 'utf8')))))
