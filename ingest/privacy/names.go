package privacy

import (
	"bytes"
	"strings"
)

// A parameter's name is read as words: "userEmail", "customer[email]", "reset-token" and "phone_2"
// are user email, customer email, reset token and phone. The tables below say what words give a
// parameter away.

// rule says when a parameter of a telling name is taken out.
type rule uint8

const (
	always     rule = iota + 1
	unlessFlag      // not for 0, yes, true, …: "mobile=1" asks for the mobile page
	ifDigits        // only with the digits of a number: "card=visa" names a brand
	ifLong          // only where the value is as long as a secret: "code=SPRING" is a voucher
	named           // the name itself is personal
)

// words give a parameter away as the last word of its name, endings such as "id" aside.
var words = map[string]rule{
	"email": always, "mail": always, "token": always, "jwt": always, "password": always, "passwd": always, "pwd": always,
	"pass": unlessFlag, "passphrase": always, "passcode": always, "secret": always, "auth": unlessFlag,
	"authorization": always, "bearer": always, "credential": always, "credentials": always, "assertion": always,
	"otp": always, "totp": always, "pin": unlessFlag, "nonce": always, "signature": always, "sig": always, "hmac": always,
	"apikey": always, "sid": always, "session": unlessFlag, "sess": unlessFlag, "sessid": always, "phpsessid": always,
	"jsessionid": always, "cfid": always, "cftoken": always,
	"phone": always, "telephone": always, "tel": always, "mobile": unlessFlag, "cell": ifDigits, "cellphone": always,
	"msisdn": always, "whatsapp": unlessFlag, "fax": unlessFlag,
	"firstname": always, "lastname": always, "fullname": always, "surname": always, "fname": always, "lname": always,
	"forename": always, "username": always, "nickname": always, "vorname": always, "nachname": always,
	"address": unlessFlag, "addr": unlessFlag, "street": unlessFlag, "zip": unlessFlag, "zipcode": always, "postcode": always,
	"postalcode": always, "postal": unlessFlag, "plz": always,
	"dob": always, "birthday": always, "birthdate": always, "dateofbirth": always,
	"ssn": always, "iban": always, "passport": always, "nino": always, "taxid": always,
	"card": ifDigits, "cc": ifDigits, "pan": ifDigits, "creditcard": ifDigits, "cardnumber": always, "cvv": always, "cvc": always,
	"ip": unlessFlag, "ipaddress": always,
}

// names give a parameter away only as its whole name, written in one.
var names = map[string]rule{
	"name": always, "user": unlessFlag, "login": unlessFlag, "uname": always, "usr": always, "code": ifLong, "key": ifLong,
	"accesskey": always, "secretkey": always, "privatekey": always, "sessionkey": always, "apisecret": always,
	"authkey": always, "licensekey": always, "awsaccesskeyid": always, "samlresponse": always, "samlrequest": always,
	"accountnumber": always, "bankaccount": always, "nationalid": always, "socialsecurity": always, "remoteaddr": always,
}

// ends give a parameter away that was written in one word.
var ends = []string{"token", "firstname", "lastname", "fullname", "surname", "sessionid", "sessid", "phonenumber", "mobilenumber",
	"apikey", "signature", "iban", "telefon"}

// strong words give a parameter away wherever they stand in its name, unless it ends in a word of
// qualities.
var strong = []string{"email", "password", "passwd", "token", "jwt", "iban", "ssn"}

// people make a "name" somebody's: product_name is none.
var people = set("first last full sur given family middle maiden user display nick real customer contact billing shipping " +
	"recipient sender owner patient client account card cardholder holder guest member person employee student parent child your my")

// endings say nothing about what a parameter is: "phone_number", "email_confirm".
var endings = set("id no nr num number value text input field line code confirm confirmation repeat again hash md sha key " +
	"new old current")

// qualities make of a telling word something that tells nobody: "email_type", "token_expires".
var qualities = set("type types status kind verified valid required enabled count campaign template format version length " +
	"provider step error sent list opt optin source subject expiry expires theme layout marketing frequency notifications digest")

var flags = set("0 1 true false yes no on off y n t f")

func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, word := range strings.Fields(list) {
		m[word] = true
	}
	return m
}

// isCampaignName reports whether attribution needs the parameter: utm_* and click ids always stay,
// but for an e-mail address in one.
func isCampaignName(name string) bool {
	if len(name) >= 4 && strings.EqualFold(name[:4], "utm_") {
		return true
	}
	return IsClickID(name)
}

// clickIDs are what ad networks add to the address of a page that one of their users comes to.
var clickIDs = [...]string{
	"gclid", "gbraid", "wbraid", "dclid", "fbclid", "msclkid", "ttclid", "li_fat_id", "twclid",
	"yclid", "igshid", "epik", "rdt_cid", "sccid", "irclickid",
}

// IsClickID reports whether a parameter is an ad network's id of a click.
func IsClickID(name string) bool {
	for _, id := range clickIDs {
		if len(id) == len(name) && strings.EqualFold(id, name) {
			return true
		}
	}
	return false
}

// isVersionName reports whether four numbers with dots are no address under this name.
func isVersionName(name string) bool {
	lower := strings.ToLower(name)
	return strings.TrimRight(lower, "_0123456789") == "v" || strings.Contains(lower, "ver") || strings.Contains(lower, "build") || strings.Contains(lower, "release")
}

// personalName says whether the parameter's name gives it away.
func personalName(name, value string) bool {
	if value == "" || name == "" || isCampaignName(name) {
		return false // an empty value tells nothing
	}
	if strings.IndexByte(name, '%') >= 0 {
		name = unescape(unescape(name))
	}
	var first, second [96]byte
	spaced, compact := splitName(first[:0], second[:0], name)
	return holdsFor(nameRule(string(spaced), string(compact)), value)
}

// splitName appends the words of a name in lower case, once with spaces between them and once
// without. Digits at the end of a word are left out: "email2".
func splitName(spaced, compact []byte, name string) (withSpaces, without []byte) {
	for i := range len(name) {
		c := name[i]
		upper := c >= 'A' && c <= 'Z'
		switch {
		case isDigit(c) && len(spaced) > 0 && !(i+1 < len(name) && isWordByte(name[i+1]) && !isDigit(name[i+1])):
			continue
		case !isWordByte(c) && c < 0x80:
			if len(spaced) > 0 && spaced[len(spaced)-1] != ' ' {
				spaced = append(spaced, ' ')
			}
			continue
		case upper && i > 0 && name[i-1] >= 'a' && name[i-1] <= 'z':
			spaced = append(spaced, ' ')
		}
		if upper {
			c |= 0x20
		}
		spaced, compact = append(spaced, c), append(compact, c)
	}
	return bytes.TrimSuffix(spaced, []byte(" ")), compact
}

func nameRule(spaced, compact string) rule {
	if r := names[compact]; r != 0 {
		return r
	}
	if r := words[compact]; r != 0 {
		return r
	}
	rest, last := lastWord(spaced)
	if qualities[last] && rest != "" {
		return 0
	}
	for _, word := range strong {
		if holdsStrong(spaced, compact, word) {
			return always
		}
	}
	for _, end := range ends {
		if strings.HasSuffix(compact, end) {
			return always
		}
	}
	for endings[last] && rest != "" {
		rest, last = lastWord(rest)
	}
	if last == "name" {
		if _, before := lastWord(rest); people[before] {
			return always
		}
	}
	return words[last]
}

// holdsStrong finds the long ones of the strong words inside others too, "myemailaddress", but not in
// the names of what is done with them: "emailing", "tokenize". The short ones must stand alone.
func holdsStrong(spaced, compact, word string) bool {
	if len(compact) < len(word) {
		return false
	}
	if len(word) <= 4 {
		for rest, last := lastWord(spaced); last != ""; rest, last = lastWord(rest) {
			if last == word {
				return true
			}
		}
		return false
	}
	_, after, found := strings.Cut(compact, word)
	return found && !strings.HasPrefix(after, "ing") && !strings.HasPrefix(after, "iz")
}

func lastWord(spaced string) (rest, last string) {
	at := strings.LastIndexByte(spaced, ' ')
	return spaced[:max(at, 0)], spaced[at+1:]
}

func holdsFor(r rule, value string) bool {
	switch r {
	case always:
		return true
	case unlessFlag:
		return len(value) > 5 || !flags[strings.ToLower(value)]
	case ifDigits:
		digits := 0
		for i := range len(value) {
			if isDigit(value[i]) {
				digits++
			}
		}
		return digits >= 6
	case ifLong:
		return len(value) >= 16 && strings.ContainsAny(value, "0123456789")
	}
	return false
}
