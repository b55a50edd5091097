import Foundation
import SystemPackage
import TestSupport
import Testing

/// The job scripts of Tools/slurm, with an sbatch that runs each job at once; Tools/slurm/trial has Slurm run them.
@Suite struct SlurmTests {
  /// Notes its options, runs the tasks of an array from the last to the first, and prints the job's number.
  private static let prelude = #"""
    set -e
    mkdir bin
    cat > bin/sbatch <<'END'
    #!/bin/sh
    echo "$*" >> jobs
    job=$(wc -l < jobs)
    tasks=0
    while :; do
      case $1 in
        --array=1-*) tasks=$(seq "${1#--array=1-}" -1 1) ;;
        --*) ;;
        *) break ;;
      esac
      shift
    done
    for task in $tasks; do
      [ "$task" = 0 ] || export SLURM_ARRAY_TASK_ID="$task"
      "${SHELL:-sh}" "$@" > "slurm-$job.out" 2> "slurm-$job.err" || echo "job $job: $?" >> ended
    done
    echo "$job"
    END
    chmod +x bin/sbatch
    PATH=$PWD/bin:$PATH
    unset SLURM_ARRAY_TASK_ID
    export SHELL=/bin/sh
    submit=$FIXTURES/../Tools/slurm/submit
    cp -r $FIXTURES/bert/eleven_layers source
    rm -f source/golden.npz

    """#

  private func run(_ script: String) async throws -> Transcript.Outcome {
    try await Transcript.run(Self.prelude + script)
  }

  @Test func `a conversion is submitted, and its folder is that of one run`() async throws {
    let outcome = try await run(
      """
      tfconvert source/ whole/ --max-shard-size 9KB -q > id
      $submit 3 tfconvert source/ parts/ --max-shard-size 9KB 2> planned
      diff -r whole parts
      sed "s|$(cd $FIXTURES/.. && pwd)/||g; s|$PWD/||g" jobs
      test ! -e ended
      """)
    #expect(
      outcome.stdout == """
        1 2
        --parsable --job-name=tfconvert-part --array=1-3 Tools/slurm/part.sbatch tfconvert tfconvert.plan.json 3
        --parsable --job-name=tfconvert-commit --dependency=afterok:1 Tools/slurm/commit.sbatch tfconvert tfconvert.plan.json

        """, "\(outcome.stderr)")
    #expect(outcome.exit == 0)
  }

  @Test(arguments: [("cp -r source other", ""), ("cp -r $FIXTURES/bert/base other", "job 2: 1\n")])
  func `a comparison is submitted, and its verdict is that of one run`(
    _ change: String, _ ended: String
  ) async throws {
    let outcome = try await run(
      """
      \(change)
      tfverify source/ other/ --json > whole || true
      PLAN=mine.json COMMIT=--json $submit 3 tfverify source/ other/ --block-size 4KB 2> planned
      cmp whole slurm-2.out
      ls mine.json
      cat ended 2> none || true
      """)
    #expect(outcome.stdout == "1 2\nmine.json\n" + ended, "\(outcome.stderr)")
  }

  @Test(arguments: [
    "3 tfinspect source/ other/", "3 tfverify source/", "", "3 tfconvert source/ file.npz",
    "3 tfverify source/ nowhere/",
  ])
  func `what cannot be planned is not submitted`(_ words: String) async throws {
    let outcome = try await run("$submit \(words) || echo \"exit $?\"; test ! -e jobs")
    #expect(outcome.exit == 0)
    #expect(["exit 2\n", "exit 3\n"].contains(outcome.stdout), "\(outcome.stderr)")
    #expect(outcome.stderr.split(separator: "\n").count <= 2, "\(outcome.stderr)")
  }

  @Test func `jobs are begun again when their node fails`() {
    let folder = fixture().removingLastComponent().appending("Tools/slurm")
    for name in ["part.sbatch", "commit.sbatch"] {
      let text = String(decoding: readFile(folder.appending(name)), as: UTF8.self)
      #expect(text.contains("\n#SBATCH --requeue\n"))
    }
  }
}
