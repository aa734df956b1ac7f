// Package safehttp is the HTTP client for URLs that flows, callers and peers name.
// Such a URL must not reach into the network of the server (server-side request
// forgery), hang it, or fill its memory.
//
// There is one type, [Client]; it is used like http.Client:
//
//	c := safehttp.New(safehttp.Config{Timeout: 5 * time.Second})
//	defer c.Close()
//	resp, err := c.Do(req) // errors.Is(err, safehttp.ErrBlocked): refused by a rule
//
// What it does:
//   - Only http and https, in the first request and in every redirect.
//   - The address is checked when the connection is made, after the name was resolved, so that a
//     name that changes its mind (DNS rebinding) gains nothing. [CheckAddr] lists
//     what is refused; Config.Allow makes exceptions.
//   - Redirects are limited; to another origin (scheme, host, port) they carry no
//     credentials and no headers of the request but harmless ones, also on the way back.
//   - One time limit covers everything from the look-up of the name to the last byte of the body, one
//     size limit the body after decompression.
//   - Proxies from the environment are not used; there are no cookies.
//
// [Client.DialContext] gives protocols that begin as HTTP (WebSocket) the same guard.
// Not covered: what the answer contains is for whoever asked to judge.
package safehttp
