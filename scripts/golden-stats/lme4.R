# Crossed random effects of the balanced cases in stats.json by lme4's REML, and Satterthwaite's degrees of freedom by
# lmerTest, as lme4.json; components of crossed designs by lme4, as components.json; letters of groups by multcompView, as
# letters.json: scripts/golden-stats/lme4.sh.

suppressMessages({
  library(lmerTest)
  library(multcompView)
  library(jsonlite)
})

golden <- "crates/fm-report/tests/golden"
versions <- sprintf("scripts/golden-stats/lme4.R, %s, lme4 %s, lmerTest %s, multcompView %s", R.version.string,
                    packageVersion("lme4"), packageVersion("lmerTest"), packageVersion("multcompView"))
write <- function(value, file) {
  writeLines(toJSON(value, digits = NA, auto_unbox = TRUE, pretty = 1), file.path(golden, file))
}

bits <- function(rows) do.call(rbind, lapply(strsplit(unlist(rows), ""), as.integer))

# Seeds by rows, items by columns.
fit <- function(arm) {
  rows <- data.frame(y = c(arm), seed = factor(row(arm)), item = factor(col(arm)))
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6), calc.derivs = TRUE)
  model <- lmer(y ~ 1 + (1 | seed) + (1 | item), rows, REML = TRUE, control = control)
  parts <- as.data.frame(VarCorr(model))
  part <- function(name) parts$vcov[parts$grp == name]
  line <- coef(summary(model))
  error <- line[1, "Std. Error"]
  df <- line[1, "df"]
  list(mean = line[1, "Estimate"], standard_error = error, df = df, seeds = part("seed"), items = part("item"),
       remainder = part("Residual"),
       interval = line[1, "Estimate"] + c(-1, 1) * qt(0.975, df) * error)
}

cases <- fromJSON(file.path(golden, "stats.json"), simplifyVector = FALSE)$two_way
balanced <- Filter(function(case) !is.null(case$anova_error), cases)
fits <- lapply(balanced, function(case) {
  first <- bits(case$first)
  second <- bits(case$second)
  list(first = case$first, second = case$second, difference = fit(second - first), of_second = fit(second))
})
write(list(made_by = versions, cases = fits), "lme4.json")

set.seed(1)
draw <- function(n, share) {
  pairs <- combn(n, 2)
  differs <- runif(ncol(pairs)) < share
  names(differs) <- paste0("g", pairs[1, ], "-g", pairs[2, ])
  said <- multcompLetters(differs, Letters = letters)$Letters[paste0("g", seq_len(n))]
  list(n = n, different = unname(lapply(which(differs), function(i) pairs[, i] - 1)), letters = unname(said))
}
cases <- Map(draw, c(3, 5, 5, 6, 8, 8, 12), c(0.5, 0.3, 0.7, 0.5, 0.4, 0.8, 0.6))
write(list(made_by = versions, cases = unname(cases)), "letters.json")

# Crossed designs: rows, columns, what the two do together, and repetitions with fixed means.
design <- function(size, sd) {
  cells <- expand.grid(repeat_ = seq_len(size[3]), column = seq_len(size[2]), row = seq_len(size[1]))
  pair <- (cells$row - 1) * size[2] + cells$column
  y <- 0.9 + 0.01 * cells$repeat_ + rnorm(size[1], sd = sd[1])[cells$row] + rnorm(size[2], sd = sd[2])[cells$column] +
    rnorm(size[1] * size[2], sd = sd[3])[pair] + rnorm(nrow(cells), sd = sd[4])
  cells <- data.frame(lapply(cells, factor), pair = factor(pair), y = y)
  control <- lmerControl(optimizer = "bobyqa", optCtrl = list(rhoend = 1e-12, maxfun = 1e6))
  formula <- if (size[3] == 1) y ~ 1 + (1 | row) + (1 | column) else
    y ~ 0 + repeat_ + (1 | row) + (1 | column) + (1 | pair)
  parts <- as.data.frame(VarCorr(lmer(formula, cells, REML = TRUE, control = control)))
  part <- function(name) parts$vcov[parts$grp == name]
  list(size = size, values = y, rows = part("row"), columns = part("column"),
       pairs = if (size[3] > 1) part("pair"), rest = part("Residual"))
}
set.seed(2)
cases <- Map(design, list(c(6, 5, 1), c(8, 7, 3), c(30, 30, 2)),
             list(c(0.3, 0.2, 0, 0.1), c(0.3, 0.2, 0.2, 0.1), c(0.1, 0.2, 0.1, 0.1)))
write(list(made_by = versions, cases = cases), "components.json")
