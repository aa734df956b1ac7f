package call

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/callbin/callbin/call/rating"
	"github.com/callbin/callbin/sip/verify"
)

// BudgetWarningSettings are BudgetOptions.
type BudgetWarningSettings struct {
	Prompt  string `json:"prompt"`  // URL of what is played to who has nothing left
	Seconds int    `json:"seconds"` // before the end; 0: 10
}

// readRates reads the prices: an array, or the name of a file below dir. data is the settings file, for the places of faults.
func (s *Settings) readRates(dir string, data []byte) (err error) {
	raw := s.Rates
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if raw[0] != '"' {
		padded := bytes.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			return ' '
		}, bytes.ToValidUTF8(data[:max(0, bytes.Index(data, raw))], []byte{' '}))
		s.rates, err = rating.ParseJSON(append(padded, raw...))
		return err
	}
	name := ""
	if err := json.Unmarshal(raw, &name); err != nil {
		return err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(dir, name)
	}
	text, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	if strings.HasSuffix(name, ".json") {
		s.rates, err = rating.ParseJSON(text)
	} else {
		s.rates, err = rating.ParseCSV(bytes.NewReader(text))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// checkBudgets tells what is wrong with limits and budgets.
func (s *Settings) checkBudgets() error {
	errs := []error{verify.CheckLimits("velocity", s.Velocity), rating.CheckBudgets("budgets", s.Budgets)}
	if len(s.Budgets) > 0 && s.rates == nil {
		errs = append(errs, errors.New("budgets: they need rates, without which no call has a price"))
	}
	if s.BudgetWarning.Seconds < 0 {
		errs = append(errs, fmt.Errorf("budget_warning.seconds: %d is negative", s.BudgetWarning.Seconds))
	}
	return errors.Join(errs...)
}

// applyBudgets puts limits, prices and budgets, which were checked, into c.
func (s *Settings) applyBudgets(c *Config) error {
	c.Rates = s.rates
	c.Budget = BudgetOptions{Warning: s.BudgetWarning.Prompt, WarnBefore: time.Duration(s.BudgetWarning.Seconds) * time.Second}
	var errs [2]error
	if len(s.Velocity) > 0 {
		c.Velocity, errs[0] = verify.NewVelocity(verify.VelocityConfig{Limits: s.Velocity})
	}
	if len(s.Budgets) > 0 {
		var l *rating.Ledger
		if l, errs[1] = rating.NewLedger(s.Budgets); l != nil {
			c.Accounts = l
		}
	}
	return errors.Join(errs[:]...)
}
