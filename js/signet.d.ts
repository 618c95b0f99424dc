/**
 * signet sessions at the edge: opens and seals what the Go library seals and opens. No dependency
 * but WebCrypto: Cloudflare Workers, Deno, Bun, Node 20 and later, browsers' service workers.
 */

/** A parsed set of keys, which shows nothing of them. */
export type Keys = (() => unknown) & { readonly __keys: unique symbol }

/**
 * Reads the output of `signet keys export` in the compact format. Do it once, outside the request. The policy of the key file (skew, life, leeway) comes with
 * the set.
 *
 * @throws TypeError if it is anything else, such as a key file: master keys have no place at the edge.
 * The message holds no key.
 */
export function parseKeys(text: string): Keys

export interface Session<T extends object = Record<string, any>> {
	/** 22 characters, the same as Session.ID in Go: what logs and deny lists use. */
	id: string
	/** When this data was sealed, Unix seconds. */
	issued: number
	/** When the session began or was renewed, Unix seconds. */
	created: number
	/** When it ends, whatever happens before, Unix seconds. */
	expires: number
	/** Whether it outlives the browser. */
	persistent: boolean
	/** The application's data. */
	data: T
	/** When the idle clock was last written, Unix seconds; only with `idle`. */
	touched?: number
	/** Set if the data has an integer beyond 2^53, which `data` holds rounded; seal refuses it. */
	lossy?: true
}

/**
 * Why there is no session. To a visitor all of them are one: not logged in.
 *
 * - `none`: the request brought no cookie of ours
 * - `invalid`: forged, damaged, or sealed for another purpose
 * - `unknown-key`: sealed with a key that this set lacks, or lacks yet, or in a format that this package
 *   does not open (JWE, version 2). No sign of forgery: pass the request on and let the origin decide
 * - `expired`: past its end, or idle for too long
 * - `clock-skew`: sealed in the future by this machine's clock
 * - `ambiguous`: two different valid sessions in one request
 * - `torn`: some cookies of a session of several are missing
 */
export type Reason = 'none' | 'invalid' | 'unknown-key' | 'expired' | 'clock-skew' | 'ambiguous' | 'torn'

export type Opened<T extends object = Record<string, any>> =
	| { session: Session<T>; error?: undefined }
	| { session?: undefined; error: Reason }

export interface Options {
	/** Of kind session, for this cookie's name. */
	keys: Keys
	/** The cookie's name; `__Host-Http-session` unless the Go side says otherwise. */
	name?: string
	/** Set it if the Go side has an IdleTimeout: the timeout in seconds, and the keys of kind touch. */
	idle?: { timeout: number; keys: Keys }
	/** Unix seconds, for tests; the clock otherwise. */
	now?: number
}

export interface CookieOptions extends Options {
	/** The Cookie field of the request, so that cookies which are not needed any more are expired. */
	cookieHeader: string | null | undefined
	/** What the Go side sets: `Path=/; HttpOnly; Secure; SameSite=Lax` unless its Config.Cookie says otherwise. */
	attributes?: string
}

export interface SealOptions extends CookieOptions {
	/** How many bytes all cookies of the session may take in a Cookie field; 6,144. */
	budget?: number
	/** The life in seconds of a session that has no `expires` yet; a day. */
	lifetime?: number
}

/** What seal takes: a session that was opened, or the data of a new one. */
export type Sealable<T extends object = Record<string, any>> = Pick<Session<T>, 'data'> & Partial<Session<T>>

/**
 * Opens the session in a request's Cookie field, `request.headers.get('cookie')`. Whatever
 * a stranger sends, it resolves; bounds are those of the Go side.
 *
 * It cannot know of a Validate hook or a revoked session, only of keys.
 *
 * @throws TypeError (as a rejection) for options that are wrong.
 */
export function open<T extends object = Record<string, any>>(
	cookieHeader: string | null | undefined,
	options: Options,
): Promise<Opened<T>>

/**
 * Seals a session and returns the Set-Cookie lines, one for each cookie and each stale one: append them
 * all to the response. Without an id the session is new: leave `id`, `created` and `expires` out to
 * renew one at a login.
 *
 * @throws RangeError (as a rejection) if the session is over its budget: nothing is written, and what the browser holds stays valid.
 * @throws TypeError for data that is no object or would be changed by writing it, for a life above the policy's, and for options that are wrong.
 */
export function seal<T extends object>(session: Sealable<T>, options: SealOptions): Promise<string[]>

/**
 * The Set-Cookie lines of the idle clock if they are due, and none otherwise: for a Worker that answers
 * by itself. One that passes the request on to Go leaves it to Go. Never seal a session
 * to keep it awake: its data would be written as it was when the request left.
 */
export function touch(session: Session<any>, options: CookieOptions): Promise<string[]>

/** The Set-Cookie lines that expire every cookie of the session: log-out, or the way out of an oversized jar. */
export function clear(options: CookieOptions): string[]
