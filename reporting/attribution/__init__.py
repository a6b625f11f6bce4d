"""Attribution: which touches a conversion is credited to, by which rules, and why the others lost."""
