// Package interop holds the live tests: signet beside the real browsers, proxies, caches and
// frameworks. Run bash .ci/install first; what is missing is skipped, unless SIGNET_REQUIRE_ALL=1.
package interop
