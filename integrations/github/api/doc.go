// Package api makes the clients of GitHub's API, and says what a refusal means.
//
// A client signs with a token or as an [App]: [New] makes one for what the configuration
// names, [Installations] one for each installation of the app that a delivery names,
// [NewForApp] the one of the app itself. Below them all is a transport.Transport, which
// minds the limits and asks again with ETags.
//
// Of an error of a call, [Kind] says whether it is worth another try, [Status] what
// GitHub answered, [Said] its words and [Advice] what to do. [SplitRepository] checks a
// repository's name before it becomes part of an address.
package api
