package privacy

import "strings"

// isPhone reports whether the whole text is a phone number in international form.
func isPhone(text string) bool {
	length, ok := phoneAt(text)
	return ok && strings.Trim(text[length:], " +") == ""
}

// holdsPhone finds an international phone number in text. Its plus must begin the text or follow
// punctuation: between words, a plus is a space.
func holdsPhone(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] != '+' || i > 0 && strings.IndexByte(" :(,;/\"'", text[i-1]) < 0 {
			continue
		}
		length, ok := phoneAt(text[i:])
		if ok {
			return true
		}
		i += max(length-1, 0)
	}
	return false
}

// phoneAt reads "+", then digits with what people put between them. ok wants 8 to 15 digits.
func phoneAt(text string) (length int, ok bool) {
	if len(text) < 8 || text[0] != '+' {
		return 0, false
	}
	digits, end := 0, 1
	for end < len(text) && (isDigit(text[end]) || strings.IndexByte(" -.()/+", text[end]) >= 0) {
		if isDigit(text[end]) {
			digits++
		}
		end++
	}
	followed := end < len(text) && (isLetter(text[end]) || text[end] == '_')
	return end, digits >= 8 && digits <= 15 && !followed && isDigit(text[1]) && text[1] != '0'
}

// holdsCard finds payment card numbers: digits as they are printed, of an issuer, with the right
// check digit. Without the issuer's range, one in ten of all long ids would be a card.
func holdsCard(text string) bool {
	var digits [19]byte
	for i := 0; i < len(text); {
		if !isDigit(text[i]) {
			i++
			continue
		}
		n, start, group, grouped, fits := 0, i, 0, false, true
		for ; i < len(text); i++ {
			c := text[i]
			if isDigit(c) {
				if n < len(digits) {
					digits[n] = c - '0'
				}
				n, group = n+1, group+1
				continue
			}
			if c != ' ' && c != '-' && c != '+' || i+1 == len(text) || !isDigit(text[i+1]) {
				break
			}
			fits, group, grouped = fits && group >= 4, 0, true
		}
		fits = fits && (!grouped || group >= 3)
		before := start > 0 && isPartOfNumber(text[start-1])
		after := i < len(text) && isPartOfNumber(text[i])
		if fits && !before && !after && n >= 13 && n <= len(digits) && isCard(digits[:n]) {
			return true
		}
	}
	return false
}

// isPartOfNumber reports whether c beside digits makes them part of something longer.
func isPartOfNumber(c byte) bool { return isWordByte(c) || c == '_' || c == '.' || c == '-' }

func isCard(digits []byte) bool {
	two := int(digits[0])*10 + int(digits[1])
	four := two*100 + int(digits[2])*10 + int(digits[3])
	var issued bool
	switch n := len(digits); {
	case digits[0] == 4: // Visa
		issued = n == 13 || n == 16 || n == 19
	case two >= 51 && two <= 55, four >= 2221 && four <= 2720: // Mastercard
		issued = n == 16
	case two == 34, two == 37: // American Express
		issued = n == 15
	case four == 6011, two == 65, four >= 6440 && four <= 6499, four >= 3528 && four <= 3589: // Discover, JCB
		issued = n == 16
	case two == 36, two == 38, four >= 3000 && four <= 3059: // Diners Club
		issued = n == 14
	case two == 62: // UnionPay
		issued = n >= 16
	}
	return issued && luhn(digits)
}

func luhn(digits []byte) bool {
	sum := 0
	for i := range digits {
		d := int(digits[len(digits)-1-i])
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// ibanLengths are the countries that have IBANs, each with the length of its own.
const ibanLengths = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BR29BY28CH21CR22CY28CZ24DE22DK18DO28EE20EG29ES24FI18FO18FR27GB22GE22GI23GL18" +
	"GR27GT28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MR27MT31MU30NL18NO15" +
	"PK24PL28PS29PT25QA29RO24RS22SA24SC31SE24SI19SK24SM27ST25SV28TL23TN24TR26UA29VA22VG24XK20"

// isIBAN reports whether the whole text is an IBAN, in one piece or in groups.
func isIBAN(text string) bool {
	if len(text) < 15 || len(text) > 60 {
		return false
	}
	var iban [34]byte
	n := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c == ' ' || c == '+' || c == '-':
			continue
		case !isWordByte(c) || n == len(iban):
			return false
		case isLetter(c):
			c &^= 0x20
		}
		iban[n] = c
		n++
	}
	return n >= 15 && isDigit(iban[2]) && isDigit(iban[3]) && n == ibanLength(iban[0], iban[1]) && mod97(iban[4:n], iban[:4]) == 1
}

// ibanLength returns 0 for a country without IBANs.
func ibanLength(a, b byte) int {
	for i := 0; i < len(ibanLengths); i += 4 {
		if ibanLengths[i] == a && ibanLengths[i+1] == b {
			return int(ibanLengths[i+2]-'0')*10 + int(ibanLengths[i+3]-'0')
		}
	}
	return 0
}

// mod97 reads the parts as one number, letters as 10 to 35, and returns its remainder.
func mod97(parts ...[]byte) int {
	sum := 0
	for _, part := range parts {
		for _, c := range part {
			if isDigit(c) {
				sum = (sum*10 + int(c-'0')) % 97
			} else {
				sum = (sum*100 + int(c-'A') + 10) % 97
			}
		}
	}
	return sum
}
