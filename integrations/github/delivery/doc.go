// Package delivery is what the readers of GitHub's deliveries share: fields that may
// be of any type, who is meant, and what is answered.
//
// A delivery is one signed request to a webhook. Its [Text] is a field of which nothing
// depends on its being a text; a [User] is whom it names, who gets no rights by it; the
// [Answer] is kept with the receipt, so that a repeat is answered the same. [Emails] join
// logins with the addresses that chat knows.
package delivery
