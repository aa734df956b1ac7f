package call_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/callbin/callbin/call"
	"github.com/callbin/callbin/store"
)

// An extension that is made while the engine runs is there with the next start; what the settings have is not changed by it.
func ExampleConfig_UseDirectory() {
	ctx := context.Background()
	db := store.Memory() // or SQLite
	start := func() *call.Directory {
		cfg := call.Config{Extensions: call.ListExtensions(call.Extension{Name: "200", Password: "of the settings"}), Logger: slog.New(slog.DiscardHandler)}
		d, err := cfg.UseDirectory(ctx, db) // before call.New(cfg)
		if err != nil {
			fmt.Println(err)
		}
		return d
	}
	d := start()
	made, err := d.Extensions.Create(ctx, "", call.Extension{Name: "300", Password: "long enough", Label: "Ann"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%q\n", made.Value.Password) // which nobody keeps

	d = start()
	got, ok := d.Extensions.Named("300")
	fmt.Println(got.ID == made.ID, got.Value.Label, ok)
	fmt.Println(errors.Is(d.Extensions.Delete(ctx, "200"), call.ErrReadOnly))
	// Output:
	// ""
	// true Ann true
	// true
}
