package privacy

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// corpusSize is how many strings each figure is measured on.
const corpusSize = 10_000

// writer makes strings as sites and people write them, from a seed.
type writer struct{ *rand.Rand }

func (w writer) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w writer) digits(n int) string {
	var b strings.Builder
	for range n {
		b.WriteByte(byte('0' + w.IntN(10)))
	}
	return b.String()
}

func (w writer) text(alphabet string, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[w.IntN(len(alphabet))]
	}
	return string(b)
}

const base64url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

func (w writer) email() string {
	local := w.pick("ann", "Bob.Lee", "c_d", "müller", "jürgen.o'neil", "x", "info+tag", "1985mike", "JANE-DOE") + w.pick("", "", w.digits(2))
	return local + "@" + w.pick("example", "mail.example", "a-b", "sub.dept.example", "bücher") + "." + w.pick("com", "de", "co.uk", "museum", "io", "xn--p1ai", "info")
}

func (w writer) card() string {
	prefix, length := "4", 16
	switch w.IntN(5) {
	case 0:
		prefix = w.pick("51", "55", "2221", "2720")
	case 1:
		prefix, length = w.pick("34", "37"), 15
	case 2:
		prefix = w.pick("6011", "65", "3530")
	}
	number := prefix + w.digits(length-len(prefix)-1)
	for check := byte('0'); check <= '9'; check++ {
		full := []byte(number + string(check))
		for i := range full {
			full[i] -= '0'
		}
		if luhn(full) {
			number += string(check)
			break
		}
	}
	if separator := w.pick("", " ", "-"); length == 16 {
		return number[:4] + separator + number[4:8] + separator + number[8:12] + separator + number[12:]
	}
	return number
}

func (w writer) iban() string {
	country, body := "DE", w.digits(18)
	switch w.IntN(3) {
	case 0:
		country, body = "GB", w.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", 4)+w.digits(14)
	case 1:
		country, body = "FR", w.digits(23)
	}
	check := 98 - mod97([]byte(body), []byte(country+"00"))
	iban := fmt.Sprintf("%s%02d%s", country, check, body)
	if w.IntN(2) == 0 {
		return iban
	}
	var grouped strings.Builder
	for i := range len(iban) {
		if i > 0 && i%4 == 0 {
			grouped.WriteByte(' ')
		}
		grouped.WriteByte(iban[i])
	}
	return grouped.String()
}

func (w writer) phone() string {
	country, separator := w.pick("+49", "+1", "+44", "+358", "+91"), w.pick("", " ", "-", ".")
	return country + separator + w.digits(3) + separator + w.digits(4) + w.pick("", separator+w.digits(3))
}

func (w writer) address() string {
	if w.IntN(2) == 0 {
		return fmt.Sprintf("%d.%d.%d.%d", 1+w.IntN(223)&^1|1, w.IntN(256), w.IntN(256), 1+w.IntN(255))
	}
	return fmt.Sprintf("2001:db8:%x:%x::%x", w.IntN(65536), w.IntN(65536), 1+w.IntN(65535))
}

// secret returns something personal, and the names it may come under: any where its looks are
// enough, telling ones where they aren't.
func (w writer) secret() (value, name string) {
	anyName := w.pick("q", "ref", "u", "value", "contact", "x", "to", "search", "data[0]", "id")
	switch w.IntN(8) {
	case 0, 1:
		return w.email(), anyName
	case 2:
		return w.phone(), anyName
	case 3:
		return w.card(), anyName
	case 4:
		return w.iban(), anyName
	case 5:
		return "eyJ" + w.text(base64url, 30) + ".eyJ" + w.text(base64url, 40) + "." + w.text(base64url, 43), anyName
	case 6:
		return w.address(), anyName
	}
	name = w.pick("name", "firstname", "last_name", "user[full_name]", "customerName", "billing-name", "password", "user_pwd", "newPassword",
		"token", "resetToken", "access_token", "phone", "mobile_number", "tel", "street", "billing_address", "zip_code", "ssn", "api_key",
		"X-Amz-Signature", "PHPSESSID", "sid", "session_id", "dob", "otp", "Customer.Email", "e-mail", "username", "auth_token", "client_secret")
	return w.pick("Anna Schmidt", "hunter2!", "0170 1234567", "Main St 5", "aZ"+w.digits(9), "Ünal", "k9x-"+w.digits(6)), name
}

// dirty puts a secret somewhere into a URL.
func (w writer) dirty() (raw, secret string) {
	secret, name := w.secret()
	escaped := url.QueryEscape(secret)
	switch w.IntN(4) {
	case 0:
		escaped = url.PathEscape(secret)
	case 1:
		escaped = url.QueryEscape(url.PathEscape(secret))
	}
	if w.IntN(3) == 0 {
		name = url.QueryEscape(name)
	}
	pair := name + "=" + escaped
	site := w.pick("https://www.example.com", "https://shop.example.co.uk:8443", "") + w.pick("/", "/a/b", "/checkout/done.html", "/p%20q/")
	before, after := w.pick("", "a=1&", "utm_source=x&page=2&"), w.pick("", "&z=9", "&sort=price&", "#top")
	switch w.IntN(6) {
	case 0:
		return site + "#" + before + pair, secret
	case 1:
		return site + "#/route?" + before + pair, secret
	case 2:
		return site + "?next=" + url.QueryEscape("/go?"+pair) + after, secret
	}
	return site + "?" + before + pair + after, secret
}

// bare says what is left of a text once all escaping and all separators are gone.
func bare(text string) string {
	for range 6 {
		text = unescape(text)
	}
	return strings.NewReplacer("+", "", " ", "").Replace(text)
}

func TestPersonalDataIsFound(t *testing.T) {
	const seed = 20260501
	w, missed := writer{rand.New(rand.NewPCG(seed, 1))}, 0
	for range corpusSize {
		raw, secret := w.dirty()
		if strings.Contains(bare(StripURL(raw)), bare(secret)) {
			if missed++; missed <= 10 {
				t.Logf("missed %q in %s", secret, raw)
			}
		}
	}
	t.Logf("seed=%d strings=%d missed=%d recall=%.2f%%", seed, corpusSize, missed, 100-100*float64(missed)/corpusSize)
	if missed*100 > corpusSize {
		t.Error("recall is below 99 %")
	}
}

// clean returns a URL without personal data, with what is easily taken for it.
func (w writer) clean() string {
	site := w.pick("https://www.example.com", "http://127.0.0.1:3000", "https://192.0.2.10", "android-app://com.example.app", "")
	path := w.pick("/", "/blog/2026/05/01/how-to-name-things", "/img/logo@2x.png", "/@someone/post-12", "/maps/@48.85,2.29,17z", "/npm/vue@3.2.1/dist/vue.js",
		"/product/"+w.digits(8), "/order/"+w.digits(12), "/a%20b/c%2Fd", "/user/"+w.digits(6)+"/settings", "/c++/std::vector", "/v1.2.3/docs", "/search/red+shoes", "/50%/off")
	var pairs []string
	for range w.IntN(5) {
		pairs = append(pairs, w.cleanPair())
	}
	raw := site + path
	if len(pairs) > 0 {
		raw += "?" + strings.Join(pairs, "&")
	}
	return raw + w.pick("", "", "#top", "#/app/list?page=2", "#:~:text=some%20words", "#section-2.1")
}

func (w writer) cleanPair() string {
	switch w.IntN(12) {
	case 0:
		return "id=" + w.digits(w.pickLength())
	case 1:
		return "ts=17" + w.digits(11)
	case 2:
		return fmt.Sprintf("uuid=%s-%s-4%s-a%s-%s", w.text("0123456789abcdef", 8), w.text("0123456789abcdef", 4), w.text("0123456789abcdef", 3), w.text("0123456789abcdef", 3), w.text("0123456789abcdef", 12))
	case 3:
		return w.pick("gclid", "fbclid", "msclkid", "ttclid", "li_fat_id", "dclid", "wbraid") + "=" + w.text(base64url, 60)
	case 4:
		return w.pick("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "utm_id") + "=" + w.pick("email", "news+letter", "spring_sale", "token", "%7Bkeyword%7D", w.digits(14))
	case 5:
		return w.pick("v", "version", "app_ver") + "=" + w.pick("1.2.3", "120.0.6099.109", "10.0.0.1", "2.1")
	case 6:
		return w.pick("hash", "etag", "rev") + "=" + w.text("0123456789abcdef", w.pick2(32, 40))
	case 7:
		return w.pick("q", "query", "search") + "=" + w.pick("red+shoes", "iphone+15", "c%2B%2B", "50%25+off", "how+to+10%2B10", "caf%C3%A9", "size+42+44", "%40handle", "12+34+56+78+90", "100%")
	case 8:
		return w.pick("date=2026-05-01", "from=2026-05-01T12:00:00%2B02:00", "time=12:30:45", "range=2026-01-01..2026-05-01", "geo=48.8583,2.2945", "offset=-120", "price=10.00-99.99", "ratio=16:9")
	case 9:
		return w.pick("event_name", "product_name", "file_name", "page_name", "campaign_name", "template_name") + "=" + w.pick("spring", "x.pdf", "Home")
	case 10:
		return w.pick("email_type=html", "token_type=bearer", "mobile=1", "card=visa", "code=SPRING20", "key=price", "auth=0", "email_campaign=may", "cell=b4", "cc=de", "phone_type=voip", "zip=0")
	}
	return w.pick("page", "sort", "lang", "color", "size", "variant", "tab", "view", "category", "monkey", "iphone", "tokyo", "passage", "emailing", "keyword", "author", "company", "codec", "zipper") +
		"=" + w.pick("1", "price", "de-DE", "a,b,c", "%F0%9F%98%80", "", "x;y", "true", "a%zz")
}

// pickLength gives the lengths of ids; a few are as long as a card's number.
func (w writer) pickLength() int {
	if w.IntN(10) == 0 {
		return 13 + w.IntN(6)
	}
	return 1 + w.IntN(12)
}

func (w writer) pick2(a, b int) int {
	if w.IntN(2) == 0 {
		return a
	}
	return b
}

func TestCleanURLsStayAsTheyAre(t *testing.T) {
	const seed = 20260502
	w, wrong := writer{rand.New(rand.NewPCG(seed, 2))}, 0
	for range corpusSize {
		raw := w.clean()
		if got := StripURL(raw); got != raw {
			if wrong++; wrong <= 10 {
				t.Logf("%s became %s", raw, got)
			}
		}
	}
	t.Logf("seed=%d strings=%d changed=%d false=%.2f%%", seed, corpusSize, wrong, 100*float64(wrong)/corpusSize)
	if wrong*200 > corpusSize {
		t.Error("more than 0.5 % are changed")
	}
}
