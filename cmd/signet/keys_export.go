package main

import "github.com/signet-go/signet"

// keysExport prints the keys derived for one purpose, never the ring.
func keysExport(std stdio, args []string) error {
	flags := newFlags("keys export")
	purpose := flags.String("purpose", "", "the cookie's `name`, or the purpose given to Seal")
	kind := flags.String("kind", "session", "`one` of session, touch and token")
	format := flags.String("format", "compact", "`one` of compact, jwe and jwe-a256kw")
	tenant := flags.String("tenant", "", "Config.Tenant")
	names, err := parseMixed(flags, std, args, 1, 1)
	if err != nil {
		return err
	}
	if *purpose == "" {
		return usageError("keys export: say for what with -purpose NAME, as in -purpose __Host-Http-session")
	}
	for _, f := range []signet.Format{signet.Compact, signet.JWE, signet.JWEKeyWrap} {
		if f.String() != *format {
			continue
		}
		ring, err := readRing(std, names[0])
		if err != nil {
			return err
		}
		text, err := ring.ExportPurpose(f, *kind, *purpose, *tenant)
		if err != nil {
			return err
		}
		warnReadable(std)
		_, err = std.out.Write(text)
		return err
	}
	return usageError("keys export: the formats are compact, jwe and jwe-a256kw")
}
