"""The debugger's screen: a thin view of `sdk.session.Session`."""
