import VerifyCommand

@main
enum Main {
  static func main() { runTFVerify() }
}
