import { readFileSync } from 'node:fs'
import process from 'node:process'
import { repeat } from './bench.mjs'

const input = JSON.parse(readFileSync(process.argv[2], 'utf8'))
const times = {}
for (const format of ['compact', 'jwe']) {
	await repeat({ ...input, format, count: 500 })
	const start = performance.now()
	await repeat({ ...input, format, count: input.count })
	times[format] = ((performance.now() - start) * 1000) / input.count
}
process.stdout.write(JSON.stringify(times))
