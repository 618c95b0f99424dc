// workerd: the batch is the request's body.
import { run } from './harness.mjs'

export default {
	async fetch(request) {
		return Response.json(await run(await request.json()))
	},
}
