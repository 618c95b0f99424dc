// Runs a program for wasip1: node --no-warnings wasi.mjs FILE ARGUMENT…, in the current directory.
import { readFile } from 'node:fs/promises'
import process from 'node:process'
import { WASI } from 'node:wasi'

const [, , file, ...args] = process.argv
const wasi = new WASI({ version: 'preview1', args: [file, ...args], env: { ...process.env, PWD: process.cwd() }, preopens: { '/': '/' }, returnOnExit: true })
const instance = await WebAssembly.instantiate(await WebAssembly.compile(await readFile(file)), wasi.getImportObject())
process.exitCode = wasi.start(instance)
