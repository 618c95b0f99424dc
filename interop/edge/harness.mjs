// What the tests ask of @signet-go/edge in every runtime: a batch of cases in, a batch of answers out.
import { clear, open, parseKeys, seal, touch } from '@signet-go/edge'

/** @param {{ keys: string, touch?: string, idle?: number, name?: string, cases: object[] }} batch */
export const run = async (batch) => {
	const keys = parseKeys(batch.keys)
	const base = { keys, name: batch.name, idle: batch.idle ? { timeout: batch.idle, keys: parseKeys(batch.touch) } : undefined }
	const answers = []
	for (const { op, header, now, session, options } of batch.cases) {
		const all = { ...base, now, cookieHeader: header, ...options }
		try {
			if (op == 'seal') answers.push({ lines: await seal(session, all) })
			else if (op == 'touch') answers.push({ lines: await touch(session, all) })
			else if (op == 'clear') answers.push({ lines: clear(all) })
			else answers.push(await open(header, all))
		} catch (thrown) {
			answers.push({ thrown: String(thrown) })
		}
	}
	return answers
}

/** Microseconds per open of the same header, by batches since some clocks are coarse. */
export const time = async (batch, header, count) => {
	const keys = parseKeys(batch.keys)
	const start = performance.now()
	for (let i = 0; i < count; i++) if ((await open(header, { keys, name: batch.name })).error) throw new Error('did not open')
	return ((performance.now() - start) * 1000) / count
}
