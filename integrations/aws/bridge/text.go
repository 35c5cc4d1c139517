package bridge

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"github.com/rollcall-bot/rollcall/workflows/clean"
)

// What AWS takes at most, in characters.
const (
	mostLockReason = 300
	mostStopReason = 200
	mostSummary    = 512
)

// letters are those outside ASCII that have a usual way to be written in it.
const letters = "ÀA ÁA ÂA ÃA ÄAe ÅAa ÆAe ÇC ÈE ÉE ÊE ËE ÌI ÍI ÎI ÏI ÐD ÑN ÒO ÓO ÔO ÕO ÖOe ØOe ÙU ÚU ÛU ÜUe ÝY ÞTh ßss " +
	"àa áa âa ãa äae åaa æae çc èe ée êe ëe ìi íi îi ïi ðd ñn òo óo ôo õo öoe øoe ùu úu ûu üue ýy þth ÿy " +
	"ĀA āa ĂA ăa ĄA ąa ĆC ćc ČC čc ĎD ďd ĐD đd ĒE ēe ĖE ėe ĘE ęe ĚE ěe ĞG ğg ĢG ģg ĪI īi ĮI įi İI ıi ĶK ķk ŁL łl ĻL ļl ĽL ľl ŃN ńn ŅN ņn ŇN ňn ŌO ōo ŐOe őoe ŒOe œoe " +
	"ŔR ŕr ŘR řr ŚS śs ŞS şs ŠS šs ŢT ţt ŤT ťt ŪU ūu ŮU ůu ŰUe űue ŲU ųu ŸY ŹZ źz ŻZ żz ŽZ žz ȘS șs ȚT țt " +
	"АA БB ВV ГG ДD ЕE ЁE ЖZh ЗZ ИI ЙI КK ЛL МM НN ОO ПP РR СS ТT УU ФF ХKh ЦTs ЧCh ШSh ЩSch ЫY ЭE ЮYu ЯYa ІI ЇI ЄE ҐG " +
	"аa бb вv гg дd еe ёe жzh зz иi йi кk лl мm нn оo пp рr сs тt уu фf хkh цts чch шsh щsch ыy эe юyu яya іi їi єe ґg " +
	"ΑA ΒB ΓG ΔD ΕE ΖZ ΗI ΘTh ΙI ΚK ΛL ΜM ΝN ΞX ΟO ΠP ΡR ΣS ΤT ΥY ΦF ΧCh ΨPs ΩO αa βb γg δd εe ζz ηi θth ιi κk λl μm νn ξx οo πp ρr σs ςs τt υy φf χch ψps ωo"

// inASCII writes a letter in ASCII; none: it has no usual way.
func inASCII(r rune) string {
	for word := range strings.FieldsSeq(letters) {
		if rest, ok := strings.CutPrefix(word, string(r)); ok {
			return rest
		}
	}
	return ""
}

// lockReason makes a text legal for DisableStageTransition, which takes 1 to 300
// of letters, digits, spaces and !@().*?- only: never empty, and as near to what
// somebody wrote as that allows.
func lockReason(text, otherwise string) string {
	var b strings.Builder
	for _, r := range clean.Line(text) {
		switch {
		case r < 128 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune(" !@().*?-", r)):
			b.WriteRune(r)
		case r < 128, unicode.IsSpace(r), unicode.IsPunct(r):
			b.WriteByte(' ')
		case inASCII(r) != "":
			b.WriteString(inASCII(r))
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			b.WriteByte('?')
		}
	}
	legal := strings.Join(strings.Fields(b.String()), " ")
	if strings.Trim(legal, " ?") == "" {
		legal = otherwise
	}
	return strings.TrimSpace(legal[:min(len(legal), mostLockReason)])
}

// cut shortens text to n characters, at a rune. AWS counts UTF-16 units where it
// says characters, so an emoji counts twice.
func cut(text string, n int) string {
	units := 0
	for i, r := range text {
		if r > 0xFFFF {
			units++
		}
		if units++; units > n {
			return strings.TrimSpace(text[:i])
		}
	}
	return text
}

// token is what AWS knows a request by, so that the same one acts once.
func token(request string) string {
	sum := sha256.Sum256([]byte(request))
	return "rc-" + hex.EncodeToString(sum[:24])
}
