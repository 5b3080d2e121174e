"""Made-up files in the layouts of ITU's DataHub and the World Bank."""

import csv
import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

Values = Mapping[tuple[str, int], float | str]
YEARS = range(2014, 2027)
NAMED = {
    "NY.GDP.MKTP.CD": "GDP (current US$)",
    "NY.GDP.DEFL.ZS": "GDP deflator (base year varies by country)",
    "PA.NUS.PPP": "PPP conversion factor, GDP (LCU per international $)",
    "PA.NUS.FCRF": "Official exchange rate (LCU per US$, period average)",
    "NY.GDP.PCAP.CD": "GDP per capita (current US$)",
}


def world_bank(series: str, values: Values) -> str:
    """Text of an indicator's page: four lines, quotes everywhere, an empty column last, and areas among the
    countries."""
    lines = ['"Data Source","World Development Indicators",', "", '"Last Updated Date","2026-10-28",', ""]
    heads = ["Country Name", "Country Code", "Indicator Name", "Indicator Code", *map(str, YEARS), ""]
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(heads)
    for country in ["WLD", *dict.fromkeys(code for code, _ in values)]:
        cells = [values.get((country, year), "") for year in YEARS]
        writer.writerow([f"Country {country}", country, NAMED[series], series, *cells, ""])
    return "\r\n".join(lines) + "\r\n" + text.getvalue()


def world_bank_zip(file: Path, series: str, values: Values) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"API_{series}_DS2_en_csv_v2_1.csv", "\ufeff" + world_bank(series, values))
        archive.writestr(f"Metadata_Indicator_API_{series}.csv", '"INDICATOR_CODE","INDICATOR_NAME"\n')
        archive.writestr(f"Metadata_Country_API_{series}.csv", '"Country Code","Region"\n')


def itu(series: str, values: Values, unit: str = "Number") -> str:
    """Text of one indicator on DataHub's page."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["seriesID", "seriesCode", "seriesName", "seriesUnits", "entityID", "entityIso", "entityName",
         "dataValue", "dataYear", "dataNote", "dataSource", "seriesDescription"]
    )  # fmt: skip
    for (country, year), value in values.items():
        writer.writerow(
            [
                178,
                series,
                "Subscriptions",
                unit,
                1,
                country,
                f"Country {country}",
                value,
                year,
                "",
                "made up",
                "",
            ]
        )
    return text.getvalue()


def itu_bulk(series: str, values: Values) -> str:
    """Text of DataHub's bulk download, with a part of a whole that is no figure of the whole."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(
        ["SeriesID", "SeriesCode", "Series", "Unit", "Database", "Year", "AreaName", "AreaCode",
         "DisaggregationGroup", "Disaggregation1", "Disaggregation2", "Value", "Notes", "Source",
         "LastModifiedOn"]
    )  # fmt: skip
    for (country, year), value in values.items():
        for part, of in (("", value), ("Prepaid", 1)):
            writer.writerow(
                [
                    178,
                    series,
                    "Subscriptions",
                    "Number",
                    "WTI",
                    year,
                    country,
                    country,
                    "",
                    part,
                    "",
                    of,
                    "",
                    "",
                    "",
                ]
            )
    return text.getvalue()
