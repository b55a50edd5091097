/// The version of the three commands.
public let toolVersion = "0.1.0"
