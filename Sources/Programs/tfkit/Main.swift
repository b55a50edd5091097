import CommandSupport
import ConvertCommand
import InspectCommand
import VerifyCommand

@main
enum Main {
  static func main() {
    runPrograms([
      Program("convert", "SRC DST [options]") { runTFConvert(skipping: $0) },
      Program("inspect", "VERB SRC [options]") { runTFInspect(skipping: $0) },
      Program("verify", "A B [options]") { runTFVerify(skipping: $0) },
    ])
  }
}
