module github.com/callbin/callbin/examples

go 1.26.0

require (
	github.com/callbin/callbin v0.0.0
	github.com/callbin/callbin/store/sqlite v0.0.0
)

replace (
	github.com/callbin/callbin => ../
	github.com/callbin/callbin/store/sqlite => ../store/sqlite
)
