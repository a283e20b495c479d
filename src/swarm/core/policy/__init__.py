"""The rules that gates and loop steps share: risk, approval, budget, freeze, retries."""
