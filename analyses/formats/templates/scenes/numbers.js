// Numbers as analyses/drawing/numbers.py prints them. Null is a loss that is not finite, and an
// error that is not known.

function exponential(value, decimals) {
  return value.toExponential(decimals).replace(/e([+-])(\d)$/, (_, sign, digit) => `e${sign}0${digit}`);
}

function threeDigits(value) {
  if (value !== 0 && !(Math.abs(value) >= 1e-3 && Math.abs(value) < 1e5)) return exponential(value, 2);
  const decimals = 2 - (value ? Math.floor(Math.log10(Math.abs(value))) : 0);
  return value.toFixed(Math.max(decimals, 0));
}

function withError(value, error) {
  if (value === null) return "not finite";
  if (error === null) return `${threeDigits(value)} (no error)`;
  if (error === 0) return `${threeDigits(value)} ± ${threeDigits(error)}`;
  if (Math.abs(value) >= 1e5 && error >= 1) {
    const power = Math.floor(Math.log10(Math.abs(value)));
    return `(${withError(value / 10 ** power, error / 10 ** power)})e${power}`;
  }
  const decimals = Math.max(0, 1 - Math.floor(Math.log10(error)));
  if (decimals > 6 && Math.abs(value) < 1e-3) return `${exponential(value, 3)} ± ${exponential(error, 1)}`;
  return `${value.toFixed(decimals)} ± ${error.toFixed(decimals)}`;
}

// A coordinate to so many digits, without the rounding errors beside 0 and trailing zeros.
function coordinate(value, span, digits = 3) {
  return String(Number((Math.abs(value) < 1e-9 * span ? 0 : value).toPrecision(digits)));
}
