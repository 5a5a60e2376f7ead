package isthmus;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.SplittableRandom;
import org.apache.spark.SparkConf;
import org.apache.spark.api.java.JavaSparkContext;

/**
 * Estimates pi by throwing points at a square and counting those inside the circle (Monte Carlo).
 *
 * <p>Arguments: the file to write ("-" for standard output), the number of slices (one task each), the points of one
 * slice. Each slice has its own seed, so the answer depends on the arguments alone. Writes one line of JSON:
 * {"slices":4,"points":400000,"inside":314159,"estimate":3.14159}.
 */
public final class Pi {
  private Pi() {}

  public static void main(String[] args) throws IOException {
    if (args.length != 3) {
      System.err.println("usage: Pi <output file or -> <slices> <points of a slice>");
      System.exit(2);
    }
    int slices = Integer.parseInt(args[1]);
    long pointsOfSlice = Long.parseLong(args[2]);
    List<Integer> seeds = new ArrayList<>();
    for (int slice = 0; slice < slices; slice++) {
      seeds.add(slice);
    }
    long inside;
    try (JavaSparkContext context = new JavaSparkContext(new SparkConf().setAppName("Pi"))) {
      inside = context.parallelize(seeds, slices).map(seed -> countInside(seed, pointsOfSlice)).reduce(Long::sum);
    }
    long points = slices * pointsOfSlice;
    String answer =
        String.format(
            Locale.ROOT,
            "{\"slices\":%d,\"points\":%d,\"inside\":%d,\"estimate\":%.8f}",
            slices, points, inside, 4.0 * inside / points);
    try (Output output = Output.to(args[0])) {
      output.stream().println(answer);
    }
    System.err.println("Pi " + answer);
  }

  private static long countInside(long seed, long points) {
    SplittableRandom random = new SplittableRandom(seed);
    long inside = 0;
    for (long point = 0; point < points; point++) {
      double x = random.nextDouble();
      double y = random.nextDouble();
      if (x * x + y * y < 1.0) {
        inside++;
      }
    }
    return inside;
  }
}
