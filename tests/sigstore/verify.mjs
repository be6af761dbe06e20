// Verifies Sigstore bundles, one a line on standard input, by Sigstore's own packages: node verify.mjs MODULES KEY.pub
import { createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const [modules, key] = process.argv.slice(2)
const require = createRequire(`${modules}/`)
const { bundleFromJSON } = require('@sigstore/bundle')
const { toSignedEntity, toTrustMaterial, Verifier } = require('@sigstore/verify')

const root = { certificateAuthorities: [], timestampAuthorities: [], tlogs: [], ctlogs: [] }
const publicKey = createPublicKey(readFileSync(key))
const trust = toTrustMaterial(root, () => ({ publicKey, validFor: () => true }))
// There is no transparency log behind a key of one's own.
const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 })
for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(line))))
  console.log('verified')
}
